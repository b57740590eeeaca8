from memweb.cli import main

main()

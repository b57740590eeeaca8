from memweb.cli import main

main(prog_name="memweb")

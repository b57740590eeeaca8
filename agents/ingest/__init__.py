"""Documents to passages: taken (`uploads`), each in its turn (`turns`), read (`reading`) and cut (`cutting`) in a
process of its own (`reader`), embedded and stored (`working`)."""

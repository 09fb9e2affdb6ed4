# The same after the shutdown was called off is not explained by it.
 5.000  host     web1 going-down poweroff pid=1200 comm=systemctl user=anna
 5.500  host     web1 stays-up
 6.010  process  web1 exited 0
 7.000  expect   web1 unknown by unknown, process-exit, graceful unknown, left gone, guess

# Without a monitor the signal alone tells that a VM was ended by its host's shutdown.
 5.000  host     web1 going-down
 6.000  trace    web1 signal SIGTERM pid=1 comm=systemd user=root
 6.010  process  web1 exited 0
 7.000  expect   web1 destroy by host, host-shutdown, not graceful, left gone

# QEMU obeys SIGTERM and exits with 0; long after a signal it did not.
 4.900  trace    web1 signal SIGTERM pid=501 comm=kill user=anna
 5.000  process  web1 device-model-exited 0
 5.000  expect   web1 failure by operator, signal, not graceful, certain, actor kill
 1.000  trace    web2 signal SIGTERM pid=501 comm=kill user=anna
30.000  process  web2 device-model-exited 0
30.000  expect   web2 failure by unknown, unseen, guess, actor nobody
# The host's shutdown ends it.
 1.000  host     web3 going-down poweroff pid=600 comm=systemctl
 4.900  trace    web3 signal SIGTERM pid=1 comm=systemd
 5.000  process  web3 device-model-exited 0
 5.000  expect   web3 failure by host, host-shutdown, certain, actor systemctl

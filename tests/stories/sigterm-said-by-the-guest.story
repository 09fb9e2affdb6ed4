# QEMU names the sender of a signal once: where its standard error has done so before, that was the guest's doing, and nobody is believed.
 5.000  stderr   web1 signal SIGTERM pid=1 comm=init
 5.500  stderr   web1 signal SIGINT
20.000  qmp      web1 SHUTDOWN guest=false reason=host-signal
20.001  stderr   web1 signal SIGTERM
20.005  process  web1 exited 0
21.000  expect   web1 destroy by operator, signal, not graceful, certain, actor nobody, rule signal-asked
# The kernel's word stands, whatever the guest says.
 5.000  stderr   web2 signal SIGTERM pid=1 comm=init
20.000  trace    web2 signal SIGTERM pid=990 comm=kill user=anna
20.000  qmp      web2 SHUTDOWN guest=false reason=host-signal
20.001  stderr   web2 signal SIGTERM
20.005  process  web2 exited 0
21.000  expect   web2 destroy by operator, signal, not graceful, certain, actor kill, rule signal-asked
# By its exit alone, too.
 5.000  stderr   web3 signal SIGTERM pid=1 comm=init
 5.001  stderr   web3 signal SIGTERM
 5.005  process  web3 exited 0
 6.000  expect   web3 destroy by operator, signal, likely, actor nobody, rule signal-exit

# A guest that ignores its power button and is killed for it was destroyed.
 5.000  qmp      web1 POWERDOWN
65.000  trace    web1 signal SIGKILL pid=990 comm=virsh user=root
65.001  process  web1 killed SIGKILL
66.000  expect   web1 destroy by operator, signal, not graceful, left gone, certain, actor virsh, rule signal-by-someone

# A suspended VM that is killed was destroyed.
 5.000  qmp      web1 SUSPEND
 1h     trace    web1 signal SIGKILL pid=990 comm=kill user=anna
 1h     process  web1 killed SIGKILL
 1h     expect   web1 destroy by operator, signal, not graceful, left gone, actor kill
 1h     expect   web1 2 verdicts

# A kill that nobody saw was most likely an operator's.
 0.000  qmp      web1 running
 5.001  process  web1 killed SIGKILL
 6.000  expect   web1 destroy by operator, signal, not graceful, left gone, likely, rule kill-unseen

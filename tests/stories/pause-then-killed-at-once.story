# A pause whose status is still awaited is told before the kill.
 5.000  qmp      web1 STOP
 6.000  process  web1 killed SIGKILL
 6.000  expect   web1 destroy by operator, signal, likely
 6.000  expect   web1 2 verdicts

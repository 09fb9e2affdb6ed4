# A sender that is heard of late revises the verdict.
 0.000  qmp      web1 running
 5.001  process  web1 killed SIGKILL
 6.000  expect   web1 destroy by operator, signal, likely, rule kill-unseen
 7.000  trace    web1 signal SIGKILL pid=990 comm=kill user=anna at=5.000
 7.000  expect   web1 destroy by operator, signal, certain, actor kill, rule signal-by-someone
 7.000  expect   web1 1 verdict
 7.000  expect   web1 1 revision

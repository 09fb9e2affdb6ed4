# A monitor of our own sees that its guest is halted for good, and ends it, in one breath: the halt is what happened.
 5.000  qmp      web1 running
60.000  qmp      web1 registers halted=true
60.001  qmp      web1 SHUTDOWN guest=false reason=guest-halted
60.003  process  web1 exited 0
62.000  expect   web1 halt by guest, halted, left halted, graceful unknown
 1h     expect   web1 1 verdict

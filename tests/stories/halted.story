# A guest that halts for good makes no event; its registers tell.
 0.000  qmp      web1 running
 9.000  qmp      web1 registers halted=false vcpus=1
 9.000  expect   web1 nothing
11.000  qmp      web1 registers halted=true vcpus=1
11.000  expect   web1 halt by guest, halted, graceful unknown, left halted, destroy pending, rule halted
11.010  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
11.020  process  web1 exited 0
12.000  expect   web1 halt by guest, halted, left halted
12.000  expect   web1 1 verdict
12.000  expect   web1 0 revisions

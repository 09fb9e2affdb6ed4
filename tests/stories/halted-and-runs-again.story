# A halted guest that something has woken (a non-maskable interrupt) runs again, and who kills it then is told.
policy web1 on_halt=leave
11.000  qmp      web1 registers halted=true vcpus=1
11.000  expect   web1 halt by guest, halted, left halted
15.000  qmp      web1 registers halted=false vcpus=1
16.000  expect   web1 1 verdict
20.000  trace    web1 signal SIGKILL pid=501 comm=bash user=root
20.001  process  web1 killed SIGKILL
21.000  expect   web1 destroy by operator, signal, certain, left gone, actor bash
 1h     expect   web1 2 verdicts
# It halts again, and is cleared away.
policy web2 on_halt=leave
11.000  qmp      web2 registers halted=true vcpus=1
15.000  qmp      web2 registers halted=false vcpus=1
20.000  qmp      web2 registers halted=true vcpus=1
20.000  expect   web2 2 verdicts
30.000  trace    web2 signal SIGKILL pid=501 comm=bash user=root
30.001  process  web2 killed SIGKILL
 1h     expect   web2 halt by guest, halted, left halted
 1h     expect   web2 2 verdicts

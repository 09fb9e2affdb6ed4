# Its monitor was given back while it was off, so that nobody heard whether it ran again: whoever kills it is told.
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.000  qmp      web1 STOP
 5.002  qmp      web1 status shutdown
 6.000  vmpower  web1 request detach pid=501 comm=anna
 6.001  qmp      web1 monitor-closed
12.000  trace    web1 signal SIGKILL pid=990 comm=bash
12.001  process  web1 killed SIGKILL
13.000  expect   web1 destroy by operator, signal, not graceful, left gone, likely, actor bash
13.000  expect   web1 2 verdicts
13.000  expect   web1 0 revisions
# By SIGTERM.
 5.000  qmp      web2 SHUTDOWN guest=true reason=guest-shutdown
 5.000  qmp      web2 STOP
 5.002  qmp      web2 status shutdown
 6.000  vmpower  web2 request detach pid=501 comm=anna
 6.001  qmp      web2 monitor-closed
12.000  trace    web2 signal SIGTERM pid=990 comm=bash
12.050  process  web2 exited 0
13.000  expect   web2 destroy by operator, signal, not graceful, left gone, likely, actor bash
13.000  expect   web2 2 verdicts
# It had crashed and was held.
 5.000  qmp      web3 GUEST_PANICKED action=pause
 5.000  qmp      web3 STOP
 5.002  qmp      web3 status guest-panicked
 6.000  vmpower  web3 request detach pid=501 comm=anna
 6.001  qmp      web3 monitor-closed
12.000  trace    web3 signal SIGKILL pid=990 comm=bash
12.001  process  web3 killed SIGKILL
13.000  expect   web3 destroy by operator, signal, likely, actor bash
13.000  expect   web3 2 verdicts
# It was halted.
 5.000  qmp      web4 registers halted=true
 6.000  vmpower  web4 request detach pid=501 comm=anna
 6.001  qmp      web4 monitor-closed
12.000  trace    web4 signal SIGKILL pid=990 comm=bash
12.001  process  web4 killed SIGKILL
13.000  expect   web4 destroy by operator, signal, actor bash
13.000  expect   web4 2 verdicts
# It powers itself off again.
 5.000  qmp      web5 SHUTDOWN guest=true reason=guest-shutdown
 5.000  qmp      web5 STOP
 5.002  qmp      web5 status shutdown
 6.000  vmpower  web5 request detach pid=501 comm=anna
 6.001  qmp      web5 monitor-closed
60.000  trace    web5 port-write port=0x604 value=8193 pc=true
60.000  trace    web5 SHUTDOWN guest=true reason=guest-shutdown
60.040  process  web5 exited 0
61.000  expect   web5 poweroff by guest, acpi-s5, left gone, certain
61.000  expect   web5 2 verdicts
# Who looks after it again hears what it does: off it was, and to kill it clears it away.
 5.000  qmp      web6 SHUTDOWN guest=true reason=guest-shutdown
 5.000  qmp      web6 STOP
 5.002  qmp      web6 status shutdown
 6.000  vmpower  web6 request detach pid=501 comm=anna
 6.001  qmp      web6 monitor-closed
 8.000  qmp      web6 monitor-opened
 8.001  qmp      web6 status shutdown
12.000  trace    web6 signal SIGKILL pid=990 comm=bash
12.001  process  web6 killed SIGKILL
13.000  expect   web6 poweroff by guest, acpi-s5, left off
13.000  expect   web6 1 verdict

# A quit is on record, and whoever held the monitor was ended before he heard what came of it.
 1.000  qmp      web1 status running
 4.990  vmpower  web1 request quit pid=501 comm=anna
60.000  vmpower  web1 gap "nobody looked after it for a while"
60.000  process  web1 vanished
60.000  expect   web1 destroy by operator, qmp-quit, not graceful, likely, actor anna, rule quit-unseen
# The monitor was given back in the same instant.
 1.000  qmp      web2 status running
 4.990  vmpower  web2 request quit pid=501 comm=anna
 5.000  qmp      web2 monitor-closed
 5.010  process  web2 exited 0
 9.000  expect   web2 destroy by operator, qmp-quit, likely, actor anna, rule quit-unseen
# What was refused, or asked for long before, or lost on its way did nothing.
 1.000  qmp      web3 status running
 4.990  vmpower  web3 request quit pid=501 comm=anna
 4.991  vmpower  web3 refused command=quit asked=4.99
 5.010  process  web3 vanished
 9.000  expect   web3 unknown by unknown, unseen, actor nobody
 1.000  qmp      web4 status running
 4.990  vmpower  web4 request quit pid=501 comm=anna
30.010  process  web4 vanished
31.000  expect   web4 unknown by unknown, unseen, actor nobody
 1.000  qmp      web5 status running
 4.990  vmpower  web5 request quit pid=501 comm=anna
30.000  vmpower  web5 gap "nobody looked after it for a while"
30.010  qmp      web5 monitor-opened
30.011  qmp      web5 status running
40.000  vmpower  web5 gap "nobody looked after it for a while"
40.000  process  web5 vanished
41.000  expect   web5 unknown by unknown, unseen, actor nobody
# An exit with a status of its own, and a host that was started anew, tell more.
 1.000  qmp      web6 status running
 4.990  vmpower  web6 request quit pid=501 comm=anna
 5.010  process  web6 exited 1
 9.000  expect   web6 failure by vmm, process-exit, rule vmm-failed
 1.000  qmp      web7 status running
 4.990  vmpower  web7 request quit pid=501 comm=anna
60.000  vmpower  web7 gap "nobody looked after it for a while"
60.000  host     web7 host-restarted watched=true
60.000  process  web7 vanished
61.000  expect   web7 destroy by host, host-shutdown, rule host-restarted

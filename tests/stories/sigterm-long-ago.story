# A SIGTERM that has done nothing for ten minutes explains nothing.
 5.000   trace    web1 signal SIGTERM pid=990 comm=sh
 605.000 process  web1 exited 0
 606.000 expect   web1 unknown by unknown, process-exit, rule exit-unexplained
# One that has ended a guest that was held has done what it does: what ends it after its reset is another's.
 5.000   trace    web2 signal SIGTERM pid=990 comm=sh
 5.001   qmp      web2 SHUTDOWN guest=false reason=host-signal
 5.002   qmp      web2 STOP
 5.003   qmp      web2 status shutdown
 6.000   qmp      web2 RESET guest=false reason=host-qmp-system-reset
 8.000   qmp      web2 SHUTDOWN guest=false reason=host-signal
 8.010   process  web2 exited 0
 9.000   expect   web2 destroy by operator, signal, actor nobody
 5.000   trace    web3 signal SIGTERM pid=990 comm=sh
 5.001   qmp      web3 status shutdown was=running
 6.000   qmp      web3 RESET guest=false reason=host-qmp-system-reset
 8.000   qmp      web3 SHUTDOWN guest=false reason=host-signal
 8.010   process  web3 exited 0
 9.000   expect   web3 destroy by operator, signal, actor nobody
# One that it has swallowed long before another transition is over, too.
 5.000   trace    web4 signal SIGTERM pid=990 comm=sh
60.000   qmp      web4 RESET guest=true reason=guest-reset
90.000   process  web4 killed SIGTERM
91.000   expect   web4 destroy by operator, signal, actor nobody

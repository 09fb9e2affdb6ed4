# SIGCONT makes a process go on, and no guest that its monitor has stopped.
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status paused
 5.001  expect   web1 pause by operator, qmp-stop, left paused
 6.000  process  web1 stopped SIGSTOP
 6.000  expect   web1 pause by operator, signal, left paused
 7.000  process  web1 continued
 7.000  expect   web1 resume by operator, signal, left paused
 8.000  qmp      web1 RESUME
 8.000  expect   web1 resume by operator, qmp-stop, left running
 9.000  process  web1 stopped SIGSTOP
 9.500  process  web1 continued
 9.500  expect   web1 resume by operator, signal, left running
# Nor does it make one sleep that its monitor was found to sleep, and that has woken, or was reset, since.
 1.000  qmp      web2 monitor-opened
 1.001  qmp      web2 status suspended
 2.000  qmp      web2 WAKEUP
 6.000  process  web2 stopped SIGSTOP
 7.000  process  web2 continued
 7.000  expect   web2 resume by operator, signal, left running
 1.000  qmp      web3 monitor-opened
 1.001  qmp      web3 status suspended
 2.000  qmp      web3 RESET guest=false reason=host-qmp-system-reset
 6.000  process  web3 stopped SIGSTOP
 7.000  process  web3 continued
 7.000  expect   web3 resume by operator, signal, left running

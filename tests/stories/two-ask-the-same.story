# QEMU does one after the other: of two who ask for the same it was the first.
 1.000  qmp      web1 status running
 4.990  vmpower  web1 request quit pid=501 comm=anna
 4.991  vmpower  web1 request quit pid=502 comm=bob
 5.000  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
 5.010  process  web1 exited 0
 6.000  expect   web1 destroy by operator, qmp-quit, certain, actor anna
# Two resets are each one's own.
 1.000  qmp      web2 status running
 4.990  vmpower  web2 request system_reset pid=501 comm=anna
 4.991  vmpower  web2 request system_reset pid=502 comm=bob
 5.000  qmp      web2 RESET guest=false reason=host-qmp-system-reset
 5.000  expect   web2 reboot by operator, qmp-reset, certain, actor anna
 5.001  qmp      web2 RESET guest=false reason=host-qmp-system-reset
 5.002  expect   web2 reboot by operator, qmp-reset, certain, actor bob
30.000  qmp      web2 RESET guest=false reason=host-qmp-system-reset
30.000  expect   web2 reboot by operator, qmp-reset, actor nobody
# A VM that is stopped is not stopped again: who asked for that did not do what another does later.
 1.000  qmp      web3 status running
 4.990  vmpower  web3 request stop pid=501 comm=anna
 4.991  vmpower  web3 request stop pid=502 comm=bob
 5.000  qmp      web3 STOP
 5.001  qmp      web3 status paused
 5.001  expect   web3 pause by operator, qmp-stop, certain, actor anna
 6.000  vmpower  web3 request cont pid=503 comm=carl
 6.001  qmp      web3 RESUME
 6.001  expect   web3 resume by operator, qmp-stop, certain, actor carl
 7.000  qmp      web3 STOP
 7.001  qmp      web3 status paused
 7.001  expect   web3 pause by operator, qmp-stop, actor nobody
# Several of each, and none was answered before the last was asked for.
 1.000  qmp      web4 status running
 4.990  vmpower  web4 request stop pid=501 comm=anna
 4.991  vmpower  web4 request cont pid=502 comm=bob
 4.992  vmpower  web4 request stop pid=503 comm=carl
 4.993  vmpower  web4 request cont pid=504 comm=dora
 5.000  qmp      web4 STOP
 5.001  qmp      web4 status paused
 5.001  expect   web4 pause by operator, qmp-stop, certain, actor anna
 5.002  qmp      web4 RESUME
 5.002  expect   web4 resume by operator, qmp-stop, certain, actor bob
 5.003  qmp      web4 STOP
 5.004  qmp      web4 status paused
 5.004  expect   web4 pause by operator, qmp-stop, certain, actor carl
 5.005  qmp      web4 RESUME
 5.005  expect   web4 resume by operator, qmp-stop, certain, actor dora
 9.000  expect   web4 4 verdicts
# A VMM that was stopped does what it was told once it goes on, the first of it for the first.
 1.000  qmp      web5 status running
 4.000  process  web5 stopped SIGSTOP
 5.000  vmpower  web5 request stop pid=501 comm=anna
 5.500  vmpower  web5 request stop pid=502 comm=bob
 6.000  process  web5 continued
 6.001  qmp      web5 STOP
 6.002  qmp      web5 status paused
 6.002  expect   web5 pause by operator, qmp-stop, certain, actor anna
# Its guest is reset before a VMM does what it was told.
 1.000  qmp      web6 status running
 5.000  vmpower  web6 request stop pid=501 comm=anna
 5.001  qmp      web6 RESET guest=true reason=guest-reset
 5.002  qmp      web6 STOP
 5.003  qmp      web6 status paused
 5.003  expect   web6 pause by operator, qmp-stop, certain, actor anna
# One that is reset while it stands still is let go on after that; what ran when it was asked to go on had nothing to do, and is another's once it was stopped.
 4.000  qmp      web7 STOP
 4.001  qmp      web7 status paused
 4.990  vmpower  web7 request cont pid=501 comm=anna user=anna
 5.000  qmp      web7 RESET guest=false reason=host-qmp-system-reset
 5.010  qmp      web7 RESUME
 6.000  expect   web7 resume by operator, qmp-stop, certain, actor anna
 4.990  vmpower  web8 request cont pid=501 comm=anna user=anna
 5.000  qmp      web8 STOP
 5.001  qmp      web8 status paused
 7.000  qmp      web8 RESUME
 8.000  expect   web8 resume by operator, qmp-stop, likely, actor nobody

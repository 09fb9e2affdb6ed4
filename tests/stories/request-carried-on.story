# What was asked for in one breath is found by the episode that it belongs to, whatever comes between.
 4.990  vmpower  web1 request stop pid=501 comm=tool user=anna
 4.995  vmpower  web1 request quit pid=501 comm=tool user=anna
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status paused
 5.002  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
 5.010  process  web1 exited 0
 6.000  expect   web1 destroy by operator, qmp-quit, certain, actor tool
 6.000  expect   web1 2 verdicts
 4.990  vmpower  web2 request stop pid=501 comm=tool user=anna
 4.995  vmpower  web2 request cont pid=501 comm=tool user=anna
 5.000  qmp      web2 STOP
 5.001  qmp      web2 RESUME
 6.000  expect   web2 resume by operator, qmp-stop, certain, actor tool
# … as much where it was two.
 4.900  vmpower  web9 request cont pid=501 comm=anna
 5.000  vmpower  web9 request stop pid=502 comm=bob
 5.001  qmp      web9 RESUME
 5.001  expect   web9 resume by operator, qmp-stop, actor anna
 5.002  qmp      web9 STOP
 5.003  qmp      web9 status paused
 5.003  expect   web9 pause by operator, qmp-stop, actor bob
# The guest reboots between a request and its reset.
 4.995  vmpower  web3 request system_reset pid=501 comm=tool user=anna
 5.000  qmp      web3 RESET guest=true reason=guest-reset
 5.005  qmp      web3 RESET guest=false reason=host-qmp-system-reset
 6.000  expect   web3 reboot by operator, qmp-reset, certain, actor tool
# A VMM that was stopped does what it was told once it goes on.
 4.000  process  web4 stopped SIGSTOP
 5.000  vmpower  web4 request quit pid=501 comm=tool user=anna
30.000  process  web4 continued
30.0005 vmpower  web4 answered-late command=quit asked=5
30.001  qmp      web4 SHUTDOWN guest=false reason=host-qmp-quit
30.010  process  web4 exited 0
31.000  expect   web4 destroy by operator, qmp-quit, certain, actor tool
 4.000  process  web5 stopped SIGSTOP
 5.000  vmpower  web5 request system_powerdown pid=501 comm=tool user=anna
30.000  process  web5 continued
30.0005 vmpower  web5 answered-late command=system_powerdown asked=5
30.001  qmp      web5 POWERDOWN
31.000  qmp      web5 SHUTDOWN guest=true reason=guest-shutdown
31.010  process  web5 exited 0
32.000  expect   web5 poweroff by operator, power-button, certain, actor tool
# What is done, or undone, is not carried on: a stop of what stood still already, …
 4.000  vmpower  web6 request stop pid=501 comm=tool user=anna
 4.001  qmp      web6 STOP
 4.002  qmp      web6 status paused
 5.000  vmpower  web6 request stop pid=501 comm=tool user=anna
 6.000  qmp      web6 RESUME
 7.000  qmp      web6 STOP
 7.001  qmp      web6 status paused
 8.000  expect   web6 pause by operator, qmp-stop, likely, actor nobody
# … a reset that has come, …
 4.000  vmpower  web7 request system_reset pid=501 comm=tool user=anna
 4.001  qmp      web7 RESET guest=false reason=host-qmp-system-reset
 6.000  qmp      web7 STOP
 6.001  qmp      web7 status paused
 7.000  qmp      web7 RESET guest=false reason=host-qmp-system-reset
 8.000  expect   web7 reboot by operator, qmp-reset, certain, actor nobody
# … or one whose answer nobody heard.
 4.000  vmpower  web8 request quit pid=501 comm=tool user=anna
30.000  qmp      web8 SHUTDOWN guest=false reason=host-qmp-quit
30.010  process  web8 exited 0
31.000  expect   web8 destroy by operator, qmp-quit, certain, actor nobody
# … or another command's was, at one instant.  Of two whose answer was late the first was sooner.
 4.000  process  web11 stopped SIGSTOP
 5.000  vmpower  web11 request quit pid=501 comm=anna user=anna
 6.000  vmpower  web11 request quit pid=502 comm=bob user=bob
30.000  process  web11 continued
30.0005 vmpower  web11 answered-late command=quit asked=5
30.001  qmp      web11 SHUTDOWN guest=false reason=host-qmp-quit
30.010  process  web11 exited 0
31.000  expect   web11 destroy by operator, qmp-quit, certain, actor anna
 4.000  process  web12 stopped SIGSTOP
 5.000  vmpower  web12 request stop pid=501 comm=anna user=anna
 5.000  vmpower  web12 request quit pid=502 comm=bob user=bob
30.000  process  web12 continued
30.0005 vmpower  web12 answered-late command=stop asked=5
30.001  qmp      web12 SHUTDOWN guest=false reason=host-qmp-quit
30.010  process  web12 exited 0
31.000  expect   web12 destroy by operator, qmp-quit, certain, actor nobody
# The guest falls asleep between a request to wake it and that it wakes.
 4.990  vmpower  web13 request system_wakeup pid=501 comm=tool user=anna
 5.000  qmp      web13 SUSPEND
 5.010  qmp      web13 WAKEUP
 6.000  expect   web13 wake by operator, acpi-s3, certain, actor tool
# What was asked for before that which was done then is not carried on by it.
 4.000  vmpower  web14 request stop pid=501 comm=tool user=anna
 4.001  qmp      web14 STOP
 4.002  qmp      web14 status paused
 5.000  vmpower  web14 request stop pid=501 comm=tool user=anna
 5.500  vmpower  web14 request cont pid=501 comm=tool user=anna
 6.000  qmp      web14 RESUME
 7.000  qmp      web14 STOP
 7.001  qmp      web14 status paused
 8.000  expect   web14 pause by operator, qmp-stop, likely, actor nobody

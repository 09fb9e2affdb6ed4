# A request that QEMU refused was not done: whatever comes after it is somebody else's, or nobody's.
 4.000  vmpower  web1 request quit pid=501 comm=bob user=bob
 4.001  vmpower  web1 refused command=quit asked=4
 5.000  process  web1 monitor-client event=shutdown monitor=/run/a.hmp pid=502 comm=nc user=anna
 5.000  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
 5.005  process  web1 exited 0
 6.000  expect   web1 destroy by operator, qmp-quit, certain, actor nc
 4.000  vmpower  web2 request system_reset pid=501 comm=bob user=bob
 4.001  vmpower  web2 refused command=system_reset asked=4
 5.000  qmp      web2 RESET guest=false reason=host-qmp-system-reset
 6.000  expect   web2 reboot by operator, qmp-reset, certain, actor nobody
 4.000  vmpower  web3 request system_wakeup pid=501 comm=bob user=bob
 4.001  vmpower  web3 refused command=system_wakeup asked=4
 4.500  qmp      web3 SUSPEND
 5.000  qmp      web3 WAKEUP
 6.000  expect   web3 wake by unknown, acpi-s3, actor nobody
# Each refusal is of its own request, whoever asked last, and whenever it was read.
 4.000  vmpower  web4 request stop pid=501 comm=anna user=anna
 4.001  vmpower  web4 request stop pid=502 comm=bob user=bob
 5.000  qmp      web4 STOP
 5.001  qmp      web4 status paused
 5.003  vmpower  web4 refused command=stop asked=4.001
 6.000  expect   web4 pause by operator, qmp-stop, certain, actor anna
# One that was refused at the guest's own end does not make that doubtful.
 4.999  vmpower  web5 request quit pid=501 comm=bob user=bob
 4.9995 vmpower  web5 refused command=quit asked=4.999
 5.000  qmp      web5 SHUTDOWN guest=true reason=guest-shutdown
 5.005  process  web5 exited 0
 6.000  expect   web5 poweroff by guest, acpi-s5, certain, actor nobody
# A button that was not pressed is none, whatever comes between.
 4.000  vmpower  web6 request system_powerdown pid=501 comm=bob user=bob
 4.001  vmpower  web6 refused command=system_powerdown asked=4
 5.000  qmp      web6 STOP
 5.001  qmp      web6 status paused
 6.000  qmp      web6 RESUME
 7.000  qmp      web6 POWERDOWN
 8.000  qmp      web6 SHUTDOWN guest=true reason=guest-shutdown
 8.005  process  web6 exited 0
 9.000  expect   web6 poweroff by operator, power-button, certain, actor nobody
# It was not the last that was refused; nor is one refused by the refusal of another command, be it of the same instant.
 4.000  vmpower  web7 request stop pid=501 comm=anna user=anna
 4.001  vmpower  web7 request stop pid=502 comm=bob user=bob
 4.002  vmpower  web7 refused command=stop asked=4
 5.000  qmp      web7 STOP
 5.001  qmp      web7 status paused
 6.000  expect   web7 pause by operator, qmp-stop, certain, actor bob
 4.000  vmpower  web8 request quit pid=501 comm=anna user=anna
 4.000  vmpower  web8 request stop pid=502 comm=bob user=bob
 4.001  vmpower  web8 refused command=stop asked=4
 5.000  qmp      web8 SHUTDOWN guest=false reason=host-qmp-quit
 5.005  process  web8 exited 0
 6.000  expect   web8 destroy by operator, qmp-quit, certain, actor anna

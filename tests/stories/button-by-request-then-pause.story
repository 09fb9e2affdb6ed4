# The same of a button that was pressed through vmpower; a guest that has started anew has forgotten it.
 4.990  vmpower  web1 request system_powerdown pid=600 comm=vmpower user=root
 5.000  qmp      web1 POWERDOWN
 6.000  qmp      web1 STOP
 6.001  qmp      web1 status paused
 7.000  qmp      web1 RESUME
20.000  qmp      web1 RESET guest=true reason=guest-reset
20.100  expect   web1 reboot by operator, power-button, actor vmpower
40.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
40.005  process  web1 exited 0
41.000  expect   web1 poweroff by guest, acpi-s5, graceful, actor nobody

# What was found off is reset and runs again: another story each.
60.000  qmp      web1 monitor-opened
60.001  qmp      web1 status shutdown was=running
60.001  expect   web1 poweroff by unknown, unseen, left off
70.000  vmpower  web1 request system_reset pid=501 comm=vmpower user=anna
70.010  qmp      web1 RESET guest=false reason=host-qmp-system-reset
70.010  expect   web1 reboot by operator, qmp-reset, actor vmpower
71.000  qmp      web1 RESUME
71.000  expect   web1 resume by operator, qmp-stop, left running
99.000  qmp      web1 monitor-opened
99.001  qmp      web1 status shutdown was=running
99.001  expect   web1 poweroff by unknown, unseen, left off
1h      expect   web1 4 verdicts

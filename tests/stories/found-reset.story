# What was off runs when it is looked at again: it has been reset, for QEMU lets nothing else run.
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.001  qmp      web1 STOP
 5.002  qmp      web1 status shutdown
 5.002  expect   web1 poweroff by guest, acpi-s5, left off
60.000  qmp      web1 monitor-opened
60.001  qmp      web1 status running was=off
60.001  expect   web1 reboot by unknown, unseen, left running, likely, rule reset-unexplained
60.000  qmp      web2 monitor-opened
60.001  qmp      web2 status prelaunch was=off
60.001  expect   web2 reboot by unknown, unseen, left paused
60.000  qmp      web3 monitor-opened
60.001  qmp      web3 status paused was=off
60.001  expect   web3 reboot by unknown, unseen, left paused, rule reset-unexplained

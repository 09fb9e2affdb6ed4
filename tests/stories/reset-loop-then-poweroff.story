# What a reset loop's tally still holds when the guest powers itself off belongs to the loop.
 5.000  qmp      web1 RESET guest=true reason=guest-reset repeat 20 every 600ms
17.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
17.005  process  web1 exited 0
18.000  expect   web1 poweroff by guest, acpi-s5, graceful, count 1
18.000  expect   web1 2 verdicts
 1h     expect   web1 poweroff by guest, acpi-s5
 1h     expect   web1 2 verdicts

# A guest that floods its console and its VMM's standard error changes nothing.
 1.000  console  web1 line "all is well" repeat 3000 every 1ms
 1.000  stderr   web1 message "something odd" repeat 3000 every 1ms
 1.000  qmp      web1 malformed "junk" repeat 3000 every 1ms
10.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
10.005  process  web1 exited 0
11.000  expect   web1 poweroff by guest, acpi-s5, certain
 1h     expect   web1 1 verdict

# A VMM that takes its time to die is off first and gone later: one verdict, revised.
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 9.999  expect   web1 nothing
11.000  expect   web1 poweroff by guest, acpi-s5, graceful, left off, destroy pending
25.000  process  web1 exited 0
25.000  expect   web1 poweroff by guest, acpi-s5, graceful, left gone
25.000  expect   web1 1 verdict
25.000  expect   web1 1 revision

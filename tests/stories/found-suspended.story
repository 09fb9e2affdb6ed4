# It slept, and woke, while nobody looked.
60.000  qmp      web1 monitor-opened
60.001  qmp      web1 status suspended was=running
60.001  expect   web1 suspend by guest, acpi-s3, graceful, left suspended
90.000  qmp      web1 monitor-opened
90.001  qmp      web1 status running was=suspended
90.001  expect   web1 wake by unknown, acpi-s3, left running

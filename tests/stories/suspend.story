# Suspend to RAM is the guest's; what wakes it is the operator if he asked, else it is not known.
 5.000  qmp      web1 SUSPEND
 5.000  expect   web1 suspend by guest, acpi-s3, graceful, left suspended
30.000  vmpower  web1 request system_wakeup pid=501 comm=vmpower user=anna
30.001  qmp      web1 WAKEUP
30.001  expect   web1 wake by operator, acpi-s3, graceful unknown, left running, actor vmpower
60.000  qmp      web1 SUSPEND
90.000  qmp      web1 WAKEUP
90.000  expect   web1 wake by unknown, acpi-s3, graceful unknown, left running
90.000  expect   web1 4 verdicts

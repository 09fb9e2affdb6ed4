# A panic and the reset that follows within the same instant are one crash, and the boot after it is clean.
policy web1 on_crash=leave
 5.000  qmp      web1 GUEST_PANICKED action=run
 5.000  qmp      web1 RESET guest=true reason=guest-reset
 5.000  expect   web1 crash by guest, panic-device, left running
 1m     qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 1m     process  web1 exited 0
 2m     expect   web1 poweroff by guest, acpi-s5, graceful
 2m     expect   web1 2 verdicts

# What a monitor of our own says of how its guest did it is as good as the kernel's word.
 0.000  qmp      web1 running
 5.000  qmp      web1 port-write port=0x64 value=254 pc=true
 5.000  qmp      web1 RESET guest=true reason=guest-reset
 6.000  expect   web1 reboot by guest, reset-8042, certain
60.000  qmp      web1 kvm-exit reason=shutdown pc=true
60.000  qmp      web1 RESET guest=true reason=guest-reset
61.000  expect   web1 reboot by guest, triple-fault, certain
 2m     qmp      web1 port-write port=0x604 value=8193 pc=true
 2m     qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 2m     process  web1 exited 0
 3m     expect   web1 poweroff by guest, acpi-s5, graceful, left gone, certain, rule guest-poweroff
 3m     expect   web1 3 verdicts

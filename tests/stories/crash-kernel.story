# A crash kernel that takes over, dumps and reboots is one crash.
 5.000  qmp      web1 GUEST_CRASHLOADED action=run
 5.000  expect   web1 crash by guest, panic-device, not graceful, left running, rule crash-kernel, leave none
35.000  qmp      web1 RESET guest=true reason=guest-reset
35.020  qmp      web1 RESET guest=true reason=guest-reset
 1m     expect   web1 1 verdict
 10m    qmp      web1 RESET guest=true reason=guest-reset
 10m    expect   web1 reboot by guest, guest-reset
 10m    expect   web1 2 verdicts

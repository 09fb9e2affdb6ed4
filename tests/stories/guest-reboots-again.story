# Two reboots an hour apart are two verdicts.
 5.000  qmp      web1 RESET guest=true reason=guest-reset
 1h     qmp      web1 RESET guest=true reason=guest-reset
 1h     expect   web1 reboot by guest, guest-reset, count 1
 1h     expect   web1 2 verdicts

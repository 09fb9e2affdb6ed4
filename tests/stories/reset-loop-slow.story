# A guest that boots, fails and reboots every five seconds for a day gets one verdict, told at most every ten minutes in the end.
 5.000  qmp      web1 RESET guest=true reason=guest-reset repeat 17280 every 5s
 2d     expect   web1 1 verdict
 2d     expect   web1 reboot by guest, guest-reset, count 17280

# A guest that reboots five minutes after its power button was pressed most likely did so because of it.
 5.000  qmp      web1 POWERDOWN
305.00  qmp      web1 RESET guest=true reason=guest-reset
306.00  expect   web1 reboot by operator, power-button, graceful unknown, likely, rule power-button-reboot-slow

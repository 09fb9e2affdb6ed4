# Two press the button: what is told is the last press, and whose that was.
 4.999  vmpower  web1 request system_powerdown pid=501 comm=vmpower user=anna
 5.000  qmp      web1 POWERDOWN
 8.000  process  web1 monitor-client event=powerdown monitor=/run/a.qmp pid=502 comm=qmp-shell user=bob
 8.000  qmp      web1 POWERDOWN
 8.500  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 8.505  process  web1 exited 0
 9.000  expect   web1 poweroff by operator, power-button, certain, actor qmp-shell
 4.998  vmpower  web2 request system_powerdown pid=501 comm=vmpower user=anna
 4.999  vmpower  web2 request system_powerdown pid=502 comm=qmp-shell user=bob
 5.000  qmp      web2 POWERDOWN
 5.001  qmp      web2 POWERDOWN
 8.500  qmp      web2 SHUTDOWN guest=true reason=guest-shutdown
 8.505  process  web2 exited 0
 9.000  expect   web2 poweroff by operator, power-button, certain, actor qmp-shell
# One whose press was refused has not pressed it, and one whose press never came has not, long after.
 4.500  vmpower  web3 request system_powerdown pid=501 comm=vmpower user=anna
 4.501  vmpower  web3 refused command=system_powerdown asked=4.5
 4.600  vmpower  web3 request system_powerdown pid=502 comm=qmp-shell user=bob
 5.000  qmp      web3 POWERDOWN
 8.500  qmp      web3 SHUTDOWN guest=true reason=guest-shutdown
 8.505  process  web3 exited 0
 9.000  expect   web3 poweroff by operator, power-button, certain, actor qmp-shell
 4.500  vmpower  web4 request system_powerdown pid=501 comm=vmpower user=anna
30.000  vmpower  web4 request system_powerdown pid=502 comm=qmp-shell user=bob
30.001  qmp      web4 POWERDOWN
38.500  qmp      web4 SHUTDOWN guest=true reason=guest-shutdown
38.505  process  web4 exited 0
39.000  expect   web4 poweroff by operator, power-button, certain, actor qmp-shell
# Nor has one who asks after the last press that there was.
 5.000  qmp      web5 POWERDOWN
 8.400  vmpower  web5 request system_powerdown pid=501 comm=vmpower user=anna
 8.500  qmp      web5 SHUTDOWN guest=true reason=guest-shutdown
 8.505  process  web5 exited 0
 9.000  expect   web5 poweroff by operator, power-button, certain, actor nobody

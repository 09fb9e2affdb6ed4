# A pause in between does not make a request forgotten, nor whose it was.
 4.990  vmpower  web1 request shutdown pid=501 comm=vmpower user=anna
 5.000  xen      web1 control-request poweroff
 5.010  xen      web1 control-acknowledged poweroff
 6.000  xen      web1 domain-paused
30.000  xen      web1 domain-unpaused
32.000  xen      web1 domain-shutdown poweroff
32.000  expect   web1 poweroff by operator, xen-control, certain, actor vmpower
32.000  expect   web1 3 verdicts
# Whatever it was that was asked for.
 4.990  vmpower  web2 request reboot pid=501 comm=vmpower user=anna
 5.000  xen      web2 control-request reboot
 5.010  xen      web2 control-acknowledged reboot
 6.000  xen      web2 domain-paused
 7.000  xen      web2 domain-unpaused
 9.000  xen      web2 domain-shutdown reboot
 9.000  expect   web2 reboot by operator, xen-control, certain, actor vmpower
 4.990  vmpower  web3 request suspend pid=501 comm=vmpower user=anna
 5.000  xen      web3 control-request suspend
 5.010  xen      web3 control-acknowledged suspend
 6.000  xen      web3 domain-paused
 7.000  xen      web3 domain-unpaused
 9.000  xen      web3 domain-shutdown suspend
 9.000  expect   web3 suspend by operator, xen-control, certain, actor vmpower
 1.000  xen      web4 device-model pid=77
 5.000  vmpower  web4 request power-button pid=501 comm=vmpower user=anna
 6.000  xen      web4 domain-paused
 7.000  xen      web4 domain-unpaused
 9.000  xen      web4 domain-shutdown poweroff
 9.000  expect   web4 poweroff by operator, power-button, certain, actor vmpower

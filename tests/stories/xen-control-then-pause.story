# A pause in between does not make a request forgotten, nor whose it was.
 4.990  vmpower  web1 request shutdown pid=501 comm=vmpower user=anna
 5.000  xen      web1 control-request poweroff
 5.010  xen      web1 control-acknowledged poweroff
 6.000  xen      web1 domain-paused
30.000  xen      web1 domain-unpaused
32.000  xen      web1 domain-shutdown poweroff
32.000  expect   web1 poweroff by operator, xen-control, certain, actor vmpower
32.000  expect   web1 3 verdicts

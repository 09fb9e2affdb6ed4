# Of two requests the guest took one: that one it obeys, and the other one's author did nothing.
 4.000  vmpower  web1 request shutdown pid=501 comm=first user=anna
 4.001  xen      web1 control-request poweroff
 5.000  vmpower  web1 request reboot pid=502 comm=second user=bert
 5.001  xen      web1 control-request reboot
 5.010  xen      web1 control-acknowledged reboot
 8.000  xen      web1 domain-shutdown reboot
 8.000  expect   web1 reboot by operator, xen-control, certain, actor second
 4.000  xen      web2 control-request poweroff pid=501 comm=first
 4.010  xen      web2 control-acknowledged poweroff
 5.000  xen      web2 control-request poweroff pid=502 comm=second
 8.000  xen      web2 domain-shutdown poweroff
 8.000  expect   web2 poweroff by operator, xen-control, certain, actor first

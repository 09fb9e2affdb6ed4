# A domain that had just been asked to go, and is gone before anybody looks, was not destroyed for that: nobody knows.
 5.000  xen      web1 control-request unseen
 5.000  xen      web1 control-acknowledged unseen
 5.900  xen      web1 domain-gone
 5.900  expect   web1 unknown by unknown, unseen, graceful unknown, guess, rule xen-gone-asked, left gone

"""Files on other carriers than disks: in QR codes, and cut into packets for radio links."""

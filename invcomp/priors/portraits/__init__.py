"""The imported family: MobileStyleGAN (FFHQ, 1024 x 1024) from the wheel `random-face`, as torch modules."""

"""The instruments of the StyleGAN papers, on egao's own feature network: path lengths and distances between sets of pictures.

The papers' numbers rest on VGG16 and InceptionV3. These do not, so they compare generators with each other, and with nothing
that was published.
"""

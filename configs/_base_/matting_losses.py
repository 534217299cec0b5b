# Losses of mattes (Sapiens2): three of alpha and the same three of the foreground's colours.
matting_losses = [
    dict(type=f'sapiens_depth_normal.Matting{kind}Loss', part=part)
    for kind in ('L1', 'Gradient', 'Laplacian') for part in ('alpha', 'foreground')]

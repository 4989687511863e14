"""VGG-M for faces, with the names and shapes of its published port to torch.

The network of Chatfield et al. 2014 (table 1, CNN-M) with batch norm, trained by its makers to
tell the 2,622 people of VGG-Face (Parkhi et al. 2015); the expression networks of Albanie and
Vedaldi 2016 start from it. The port is ``vgg_m_face_bn_dag`` of
www.robots.ox.ac.uk/~albanie/pytorch-models.html.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 512
"""Channels of the last convolution."""


class VggMFace(nn.Module):
    """The network.

    Args:
        classes: classes of its last layer (VGG-Face's 2,622).
    """

    def __init__(self, classes: int = 2622):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 7, 2)
        self.bn49 = nn.BatchNorm2d(96)
        self.pool1 = nn.MaxPool2d(3, 2)
        self.conv2 = nn.Conv2d(96, 256, 5, 2, 1)
        self.bn50 = nn.BatchNorm2d(256)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv3 = nn.Conv2d(256, 512, 3, 1, 1)
        self.bn51 = nn.BatchNorm2d(512)
        self.conv4 = nn.Conv2d(512, 512, 3, 1, 1)
        self.bn52 = nn.BatchNorm2d(512)
        self.conv5 = nn.Conv2d(512, WIDTH, 3, 1, 1)
        self.bn53 = nn.BatchNorm2d(WIDTH)
        self.pool5 = nn.MaxPool2d(3, 2)
        self.fc6 = nn.Conv2d(WIDTH, 4096, 6)
        self.bn54 = nn.BatchNorm2d(4096)
        self.fc7 = nn.Conv2d(4096, 4096, 1)
        self.bn55 = nn.BatchNorm2d(4096)
        self.fc8 = nn.Linear(4096, classes)

    def convolve(self, faces: Tensor) -> Tensor:
        """(batch, 3, height, width) RGB less its mean to (batch, 512, h, w): the last convolution.

        13 x 13 positions for 224 pixels, 5 x 5 for 96.
        """
        x = self.pool1(F.relu(self.bn49(self.conv1(faces))))
        x = self.pool2(F.relu(self.bn50(self.conv2(x))))
        x = F.relu(self.bn51(self.conv3(x)))
        x = F.relu(self.bn52(self.conv4(x)))
        return F.relu(self.bn53(self.conv5(x)))

    def forward(self, faces: Tensor) -> Tensor:
        """(batch, 3, 224, 224) RGB in [0, 255] less its mean to (batch, classes) logits."""
        x = self.pool5(self.convolve(faces))
        x = F.relu(self.bn54(self.fc6(x)))
        x = F.relu(self.bn55(self.fc7(x)))
        return self.fc8(x.flatten(1))  # type: ignore[no-any-return]

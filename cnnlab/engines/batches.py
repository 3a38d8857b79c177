"""Batches made on the device where the pictures lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from cnnlab.engines.job import Pictures


class Batches(torch.utils.data.DataLoader):
    """Batches of (float32 pictures in 0..1 or sequences, labels), made on the device they lie on.

    They cross to the device once, pictures as uint8, when this is made; where the device cannot
    hold them all they stay in pinned host memory and each batch is copied one step ahead.
    """

    def __init__(
        self,
        data: Pictures,
        batch_size: int,
        device: torch.device,
        *,
        shuffle: bool,
        channels_first: bool,
    ) -> None:
        super().__init__(
            torch.utils.data.TensorDataset(torch.arange(len(data.labels))), batch_size=batch_size
        )
        self.device = device
        self.shuffle, self.channels_first = shuffle, channels_first
        self.shape = data.images.shape[1:]
        rows = torch.from_numpy(np.array(data.images)).view(len(data.labels), -1)
        labels = torch.from_numpy(data.labels.astype(np.int64))
        self.staged = _fits(rows, self.device)
        if self.staged:
            rows, labels = rows.to(self.device), labels.to(self.device)
        self.rows, self.labels = rows, labels

    def order(self) -> torch.Tensor:
        """Indices of an epoch's pictures.

        Made by the same classes, hence from the same random draws, as Keras's own shuffling; of
        plain numbers, because tensors that are fetched one by one took a tenth of a small step.
        """
        count = len(self.labels)
        if not self.shuffle:
            return torch.arange(count)
        numbers: Any = range(count)  # which is all that a loader asks of a data set
        loader = torch.utils.data.DataLoader(numbers, count, shuffle=True, collate_fn=torch.tensor)
        return next(iter(loader))

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:  # type: ignore[override]
        if self.staged:
            yield from map(self.gather, self.indices())
        else:
            yield from self._copied_ahead(self.order())

    def indices(self) -> Iterator[torch.Tensor]:
        """Of an epoch's pictures, batch by batch, on the device."""
        yield from self.order().to(self.device).split(self.batch_size)

    def gather(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch of these pictures, all of which lie on the device."""
        return self._pictures(self.rows.index_select(0, index)), self.labels.index_select(0, index)

    def _copied_ahead(self, order: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Each batch is copied while the card works on the one before, on a stream of its own."""
        copying = torch.cuda.Stream(self.device)
        waiting = None
        for index in order.split(self.batch_size):
            batch = self._copied(index, copying)
            if waiting is not None:
                yield self._arrived(*waiting)
            waiting = batch
        if waiting is not None:
            yield self._arrived(*waiting)

    def _copied(
        self, index: torch.Tensor, copying: torch.cuda.Stream
    ) -> tuple[torch.Tensor, torch.Tensor, torch.cuda.Event]:
        """A batch on its way, and the moment at which it will be there."""
        host = self.rows.index_select(0, index), self.labels[index]
        with torch.cuda.stream(copying):
            rows, labels = (side.pin_memory().to(self.device, non_blocking=True) for side in host)
            return rows, labels, copying.record_event()

    def _arrived(
        self, rows: torch.Tensor, labels: torch.Tensor, there: torch.cuda.Event
    ) -> tuple[torch.Tensor, torch.Tensor]:
        computing = torch.cuda.current_stream(self.device)
        computing.wait_event(there)
        for tensor in (rows, labels):  # or its memory would be given away while it is read
            tensor.record_stream(computing)
        return self._pictures(rows), labels

    def _pictures(self, rows: torch.Tensor) -> torch.Tensor:
        pictures = rows.view(-1, *self.shape)
        if self.channels_first:
            # A view: the memory stays channels last, which is what convolutions like best.
            pictures = pictures.permute(0, 3, 1, 2)
        return pictures.to(torch.float32).div_(255) if rows.dtype == torch.uint8 else pictures


class WholeEpoch(torch.utils.data.DataLoader):
    """An epoch in one piece: Keras asks for it once, and hands on the batches to walk through."""

    def __init__(self, batches: Batches) -> None:
        super().__init__(torch.utils.data.TensorDataset(torch.arange(1)))
        self.batches = batches
        self.staged = batches.staged

    def __iter__(self) -> Iterator[Batches]:  # type: ignore[override]
        yield self.batches


def _fits(rows: torch.Tensor, device: torch.device) -> bool:
    """Whether the device can hold the pictures and leave half of its free memory to the model."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return rows.nbytes < free / 2

import pytest
import torch
from torch.multiprocessing import ProcessRaisedException

from tradeoffs.errors import UserError
from tradeoffs.training.checkpoints import Checkpoints
from tradeoffs.training.nonfinite import NonFiniteLoss

# The first epoch's batches: [104, 119, 106, 102], [113, 116, 103, 111], [110, 108, 100, 112], ...
SECOND_BATCH = [113, 116, 103, 111]


def test_the_run_stops_and_names_terms_images_and_file(tmp_path, tiny_train, tiny_task):
    with pytest.raises(UserError) as error:
        tiny_train(tmp_path, tiny_task(break_at=(103,)), callbacks=[NonFiniteLoss(tmp_path)])
    path = tmp_path / "nonfinite_batch.pt"
    assert str(error.value) == (
        f"the loss is not finite after step 2: loss is nan, loss/boxes is nan on images 113, 116, 103, 111, "
        f"saved in {path}; a lower learning rate or gradient clipping may help"
    )
    saved = torch.load(path, weights_only=True)
    assert saved["image_ids"].tolist() == SECOND_BATCH
    assert saved["images"].shape == (4, 3, 8, 8)
    assert saved["targets"]["labels"].tolist() == [[1], [0], [1], [1]]
    assert saved["step"] == 2
    assert saved["losses"]["loss/classes"] > 0


def test_broken_weights_reach_no_checkpoint(tmp_path, tiny_train, tiny_task):
    callbacks = [NonFiniteLoss(tmp_path), Checkpoints(tmp_path / "checkpoints", "val/mAP", every_n_steps=1)]
    with pytest.raises(UserError):
        tiny_train(tmp_path, tiny_task(break_at=(103,)), callbacks=callbacks)
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 1
    assert all(value.isfinite().all() for value in state["state_dict"].values())


def test_the_last_batch_is_judged_before_validation(tmp_path, tiny_train, tiny_task):
    last = (114,)  # in the fifth batch of the first epoch
    with pytest.raises(UserError, match="after step 5"):
        tiny_train(tmp_path, tiny_task(break_at=last), callbacks=[NonFiniteLoss(tmp_path)], max_epochs=1)


def test_finite_losses_pass(tmp_path, tiny_train):
    tiny_train(tmp_path, callbacks=[NonFiniteLoss(tmp_path)], max_epochs=1)
    assert not (tmp_path / "nonfinite_batch.pt").exists()


def test_all_processes_stop_and_name_the_images_of_the_one(tmp_path, tiny_train, tiny_task):
    with pytest.raises(ProcessRaisedException, match=r"step 1: .* on images 106, 102, saved in .*nonfinite_batch_1.pt"):
        tiny_train(
            tmp_path,
            tiny_task(break_at=(102,)),
            callbacks=[NonFiniteLoss(tmp_path)],
            strategy="ddp_fork",
            devices=2,
            use_distributed_sampler=False,
        )
    assert [path.name for path in tmp_path.glob("*.pt")] == ["nonfinite_batch_1.pt"]

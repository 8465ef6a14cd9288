from tradeoffs.training.metrics_csv import MetricsCSV


def read(folder) -> list[str]:
    return (folder / "metrics.csv").read_text().splitlines()


def test_new_columns_extend_the_rows_before(tmp_path):
    logger = MetricsCSV(tmp_path / "run")
    logger.log_metrics({"loss": 0.5}, step=0)
    logger.log_metrics({"val/mAP": 0.25}, step=0)
    logger.log_metrics({"loss": 0.125}, step=1)
    assert read(tmp_path / "run") == ["step,loss,val/mAP", "0,0.5,", "0,,0.25", "1,0.125,"]


def test_resuming_drops_the_rows_that_are_done_again(tmp_path):
    former = MetricsCSV(tmp_path)
    for step in range(4):
        former.log_metrics({"loss": step}, step=step)
    resumed = MetricsCSV(tmp_path, resume=True)
    resumed.log_metrics({"loss": 20}, step=2)
    resumed.log_metrics({"loss": 30}, step=3)
    assert read(tmp_path) == ["step,loss", "0,0", "1,1", "2,20", "3,30"]


def test_a_row_cut_off_by_a_crash_is_dropped(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,loss,epoch\n0,1.0,0\n1,0")
    MetricsCSV(tmp_path, resume=True).log_metrics({"loss": 2.0, "epoch": 0}, step=5)
    assert read(tmp_path) == ["step,loss,epoch", "0,1.0,0", "5,2.0,0"]


def test_a_new_run_begins_anew(tmp_path):
    MetricsCSV(tmp_path).log_metrics({"loss": 1}, step=0)
    MetricsCSV(tmp_path).log_metrics({"other": 2}, step=9)
    assert read(tmp_path) == ["step,other", "9,2"]


def test_nothing_is_touched_before_the_first_row(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,loss\n0,1\n")
    MetricsCSV(tmp_path)
    assert read(tmp_path) == ["step,loss", "0,1"]

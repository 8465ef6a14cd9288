"""One LightningModule per task. No architecture is named here."""

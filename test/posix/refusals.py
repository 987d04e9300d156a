"""What a mount does otherwise than a local disk, on purpose: the table "Refused" in src/vfs/README.md."""


def reason_for(group, what, outcome, local):
    """Why an outcome may differ from those of local disks, or None."""
    if group == 'chown' and 'to -1:-1' in what and outcome == 'done' and 'EPERM' in local:
        return 'chown(2) to nobody and nothing of a set-id file by a stranger changes nothing'
    if what == 'in a folder that is gone: chmod' and outcome == 'ESTALE':
        return 'attributes of a removed folder, or of a removed file that nobody has open, can not be changed'
    return None

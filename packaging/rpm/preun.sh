# $1: how many versions stay. 0 is the removal.
if [ "$1" -eq 0 ] && [ -d /run/systemd/system ]; then
    systemctl --no-reload disable --now ackbell.socket ackbell-flush.timer ackbell.service >/dev/null 2>&1 || :
fi
:

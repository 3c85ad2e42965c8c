# $1: how many versions stay. After an upgrade what ran is restarted, with the new files in place.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload >/dev/null 2>&1 || :
    if [ "$1" -ge 1 ]; then
        systemctl try-restart ackbell.service >/dev/null 2>&1 || :
    fi
fi
:

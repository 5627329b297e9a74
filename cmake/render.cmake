# cmake -DOUT=FILE.c "-DFILES=KEEPALIVED=path;GALERA=path" -P render.cmake: RENDER_TEXT[] of
# hamon/setup/render_text.h.
set(data "")
set(rows "")
foreach(pair ${FILES})
        string(REGEX MATCH "^([A-Z]+)=(.+)$" ok "${pair}")
        set(name ${CMAKE_MATCH_1})
        file(READ "${CMAKE_MATCH_2}" hex HEX)
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
        string(APPEND data "static const char TEXT_${name}[] = {${bytes}0};\n")
        string(APPEND rows "        [RENDER_${name}] = TEXT_${name},\n")
endforeach()
file(WRITE "${OUT}" "/* Made by cmake/render.cmake. */\n#include \"hamon/setup/render_text.h\"\n\n${data}
const char *const RENDER_TEXT[RENDER_COUNT_] = {\n${rows}};\n")
